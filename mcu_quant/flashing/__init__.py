"""Images onto boards: by the tools that boards name, or through a GDB server."""
