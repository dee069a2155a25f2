"""What a class needs: plans, and a page on which results appear."""
