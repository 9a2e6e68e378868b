-- What a list shows of why a trace's root failed. What a model was asked stands in `inputs_preview`, where it has no inputs.
ALTER TABLE trace ADD COLUMN error_preview TEXT;
