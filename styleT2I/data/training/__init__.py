"""Data as trainings read them: labelled or captioned, several sets behind one index, augmented."""
