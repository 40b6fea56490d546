"""The agent beside the sensors: source -> window -> features -> score -> decide -> spool -> ship."""
