"""From a publication to every session of its audience: who is here, and what each one hears."""
