"""What learns: five networks over windows, their loss and their shipped variants."""
