"""Selection: which samples of a class are taken first; shared by completion and reduction."""
