"""What the terminal client costs whoever sits before it: measured in a pseudo-terminal."""
