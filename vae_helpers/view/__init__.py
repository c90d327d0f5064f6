"""All that is seen: style, pictures, plots, controls, and the scripts of pages that run without a kernel."""
