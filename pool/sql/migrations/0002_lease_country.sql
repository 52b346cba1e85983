-- Where the visitor's address is: ISO 3166-1 ("GB"), '' where that is not known. It tells whose call it may be.
ALTER TABLE lease ADD COLUMN country TEXT NOT NULL DEFAULT '';
