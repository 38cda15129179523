BEGIN TRANSACTION;
CREATE TABLE brandings (collection TEXT PRIMARY KEY, body TEXT NOT NULL, logo BLOB);
CREATE TABLE calibrations (collection TEXT PRIMARY KEY, made_at TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE collection_languages (collection TEXT PRIMARY KEY, language TEXT NOT NULL);
CREATE TABLE collections (name TEXT PRIMARY KEY, created_at TEXT NOT NULL);
CREATE TABLE deletions (
            deletion_id TEXT PRIMARY KEY,
            kind TEXT NOT NULL,
            collection TEXT NOT NULL,
            name TEXT NOT NULL,
            place_id TEXT,
            deleted_at REAL NOT NULL,
            collection_created_at TEXT
        );
CREATE TABLE embeddings (
            seq INTEGER PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            vector BLOB NOT NULL
        );
INSERT INTO "embeddings" VALUES(1,X'D25E113EADCEAC3EAEFF0A3E2D0B09BF656BBE3E9BC43B3EB9DE61BEB272743E9A5B193E5274F73D294B3F3CB9F9653E28E59ABE790E89BDD7CD4ABEC6E77B3E');
INSERT INTO "embeddings" VALUES(2,X'CE574E3D90A30EBE7A6BE1BDF88B26BF8189F53EB9199C3E8A97B1BDBB24533ED576993D331E17BE055F853EA17AA9BDB072B3BDD92558BE6648F83D468AD8BC');
CREATE TABLE former_names (name TEXT PRIMARY KEY, collection TEXT NOT NULL);
CREATE TABLE identity (id INTEGER PRIMARY KEY CHECK (id = 1), gallery TEXT NOT NULL);
INSERT INTO "identity" VALUES(1,'a98fe184740c436aaecef726088f34e8');
CREATE TABLE images (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            image_id TEXT NOT NULL UNIQUE,
            collection TEXT NOT NULL,
            place INTEGER NOT NULL REFERENCES places (id),
            content_hash TEXT NOT NULL,
            filename TEXT NOT NULL,
            media_type TEXT NOT NULL,
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            byte_size INTEGER NOT NULL,
            added_at TEXT NOT NULL,
            UNIQUE (content_hash, collection)
        );
INSERT INTO "images" VALUES(1,'0e478c27c86240cd8217d8ff0413715f','default',1,'245a573f3c57f63ffc175f12d39e3590bb10cfd48554d3ebcda12a427405efd8','photo-1.jpg','image/jpeg',640,480,500,'2026-11-29T17:15:05.952+00:00');
INSERT INTO "images" VALUES(2,'b96a46ddf9ce48f7b6d0747548751163','default',1,'322971d0581ce02e24be2a243226173e2e96da1a847746fe06ce646906b979ed','photo-2.jpg','image/jpeg',640,480,500,'2026-11-29T17:15:05.952+00:00');
CREATE TABLE local_features (
            seq INTEGER PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
            packed BLOB NOT NULL
        );
INSERT INTO "local_features" VALUES(1,X'4C46320A01000500647261776E0500000008004000300000000000FE4216FA50222062326763E7153493802743130517C0003C333A66383335662E7F00000000000000007F00000000000000007F00000000000000007F00000000000000007F000000');
INSERT INTO "local_features" VALUES(2,X'4C46320A01000500647261776E0500000008004000300000000000FE4258EFA9F72DDEDDAE536141642F0AF02F3E559158003C333A66383335662E7F00000000000000007F00000000000000007F00000000000000007F00000000000000007F000000');
CREATE TABLE manifest (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            encoder_name TEXT NOT NULL,
            encoder_weights TEXT NOT NULL,
            encoder_preprocessing TEXT NOT NULL,
            encoder_dim INTEGER NOT NULL,
            created_at TEXT NOT NULL,
            generation INTEGER NOT NULL
        );
INSERT INTO "manifest" VALUES(1,'drawn','seeded','none',16,'2026-11-29T17:15:05+00:00',3);
CREATE TABLE outbox (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            seq INTEGER NOT NULL UNIQUE,
            operation TEXT NOT NULL,
            is_delivered INTEGER NOT NULL,
            due_at REAL NOT NULL
        );
CREATE TABLE places (
            id INTEGER PRIMARY KEY,
            collection TEXT NOT NULL,
            place_id TEXT NOT NULL,
            name TEXT NOT NULL,
            description TEXT NOT NULL,
            metadata TEXT NOT NULL,
            latitude REAL,
            longitude REAL, texts TEXT NOT NULL DEFAULT '{}', is_hidden INTEGER NOT NULL DEFAULT 0, recordings TEXT NOT NULL DEFAULT '{}',
            UNIQUE (collection, place_id)
        );
INSERT INTO "places" VALUES(1,'default','gate','Gate','Red, of brick','{"floor": "1"}',47.5,-8.25,'{}',0,'{}');
CREATE TABLE vector_engine (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            gallery TEXT NOT NULL,
            name TEXT NOT NULL,
            epoch INTEGER NOT NULL,
            generation INTEGER NOT NULL
        , compared_until REAL NOT NULL DEFAULT 0);
CREATE TABLE vector_keys (
            collection_key INTEGER PRIMARY KEY AUTOINCREMENT,
            collection TEXT NOT NULL UNIQUE
        );
CREATE TABLE verifier_features (content_hash TEXT NOT NULL, extractor TEXT NOT NULL, packed BLOB NOT NULL, PRIMARY KEY (content_hash, extractor));
CREATE INDEX images_by_collection ON images (collection);
CREATE INDEX images_by_place ON images (place);
CREATE INDEX outbox_by_due ON outbox (is_delivered, due_at);
CREATE INDEX deletions_by_time ON deletions (deleted_at, deletion_id);
CREATE INDEX hidden_places ON places (collection) WHERE is_hidden = 1;
CREATE INDEX places_with_recordings ON places (collection) WHERE recordings <> '{}';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('images',3);
INSERT INTO "outbox" VALUES(4,2,'upsert',1,1795000000.0);
INSERT INTO "vector_keys" VALUES(1,'default');
INSERT INTO "vector_engine" VALUES(1,'0f1e2d3c4b5a69788796a5b4c3d2e1f0','semantic_image_matcher',4611686018427387904,5,0.0);
INSERT INTO "calibrations" VALUES('default','2026-11-29T05:00:00+00:00','{}');
INSERT INTO "collections" VALUES('default','2026-11-29T05:00:00+00:00');
INSERT INTO "deletions" VALUES('00112233445566778899aabbccddeeff','image','default','photo-3.jpg','gate',1795900000.0,NULL);
INSERT INTO "verifier_features" VALUES('245a573f3c57f63ffc175f12d39e3590bb10cfd48554d3ebcda12a427405efd8','drawn',X'4C46320A01000500647261776E0500000008004000300000000000FE4216FA50222062326763E7153493802743130517C0003C333A66383335662E7F00000000000000007F00000000000000007F00000000000000007F00000000000000007F000000');
INSERT INTO "collection_languages" VALUES('default','zh-Hans');
INSERT INTO "former_names" VALUES('museum','default');
INSERT INTO "brandings" VALUES('default','{"title": "Museum", "colour": "#8a1538", "privacy_note": "", "privacy_url": "", "footer": "ICP 1", "footer_url": ""}',X'89504E47');
COMMIT;
PRAGMA user_version = 9;
