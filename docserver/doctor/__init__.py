"""The command `docserver doctor`: checks what the service needs, and says what to do about what is wrong."""
