"""Phantoms: synthetic chest radiographs with known class, lungs and lesions."""
