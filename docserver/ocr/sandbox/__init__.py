"""Child side: how an OCR process gives up what it does not need, by Landlock and seccomp."""
