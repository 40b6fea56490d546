"""Raw excerpts and spectra: when they are due, cut, packed."""
