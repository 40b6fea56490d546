"""The page: fleet, machine, event and clip, drawn by the server from store and lake."""
