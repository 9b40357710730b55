"""What is asked of the model: prompt pairs, corruptions, metrics, concepts, the pocket models."""
