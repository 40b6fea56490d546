"""The agent beside the sensors: source -> features -> score -> decide -> spool -> ship."""
