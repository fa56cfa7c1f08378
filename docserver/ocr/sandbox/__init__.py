"""Child side: how an OCR process gives up all rights that it does not need, through Landlock and seccomp."""
