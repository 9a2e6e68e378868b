-- What a list shows of why a trace's root failed.
ALTER TABLE trace ADD COLUMN error_preview TEXT;
