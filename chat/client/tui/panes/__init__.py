"""What is drawn: the panes, the composer, forms and popups, each as rows of a given size."""
