"""The programs that do the fixed job beside ours, and the load generator and API stub in C."""
