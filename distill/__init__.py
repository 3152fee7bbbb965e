"""What is learnt: messages become a released model."""
