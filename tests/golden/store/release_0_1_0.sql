BEGIN TRANSACTION;
CREATE TABLE calls (
	id VARCHAR(128) NOT NULL, 
	request_id VARCHAR(128) NOT NULL, 
	timestamp VARCHAR(32) NOT NULL, 
	level VARCHAR(16) NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	"key" VARCHAR(128), 
	user VARCHAR(256), 
	team VARCHAR(128), 
	method VARCHAR(16) NOT NULL, 
	path VARCHAR(256) NOT NULL, 
	operation VARCHAR(32) NOT NULL, 
	status INTEGER NOT NULL, 
	model VARCHAR(256), 
	provider VARCHAR(128), 
	upstream_model VARCHAR(256), 
	attempts INTEGER NOT NULL, 
	fallback BOOLEAN NOT NULL, 
	cache VARCHAR(32), 
	stream BOOLEAN NOT NULL, 
	input_tokens BIGINT, 
	output_tokens BIGINT, 
	cached_tokens BIGINT, 
	cache_write_tokens BIGINT, 
	reasoning_tokens BIGINT, 
	usage_source VARCHAR(16) NOT NULL, 
	cost_nano BIGINT, 
	ttft_ms FLOAT, 
	duration_ms FLOAT NOT NULL, 
	upstream_ms FLOAT NOT NULL, 
	overhead_ms FLOAT NOT NULL, 
	outcome VARCHAR(32) NOT NULL, 
	error_type VARCHAR(128), 
	tags TEXT NOT NULL, 
	tries TEXT NOT NULL, 
	PRIMARY KEY (id), 
	CONSTRAINT input_tokens_in_range CHECK (input_tokens BETWEEN 0 AND 1000000000000), 
	CONSTRAINT output_tokens_in_range CHECK (output_tokens BETWEEN 0 AND 1000000000000), 
	CONSTRAINT cached_tokens_in_range CHECK (cached_tokens BETWEEN 0 AND 1000000000000), 
	CONSTRAINT cache_write_tokens_in_range CHECK (cache_write_tokens BETWEEN 0 AND 1000000000000), 
	CONSTRAINT reasoning_tokens_in_range CHECK (reasoning_tokens BETWEEN 0 AND 1000000000000), 
	CONSTRAINT cost_in_range CHECK (cost_nano BETWEEN 0 AND 1000000000000000)
);
INSERT INTO "calls" VALUES('a','req-a','2026-11-20T10:00:00.250000Z','info','call','ci',NULL,NULL,'POST','/v1/chat/completions','chat',200,'fast','acme','large',1,0,NULL,1,10,20,4,0,0,'provider',1230000,100.0,200.0,190.0,1.0,'success',NULL,'{"project":"a"}','[{"provider":"acme","model":"large","outcome":"success","status":200,"duration_ms":190.0}]');
INSERT INTO "calls" VALUES('b','req-b','2026-11-20T10:59:59.999000Z','info','call','ci',NULL,NULL,'POST','/v1/chat/completions','chat',200,'fast','other','vendor/large',2,1,NULL,0,10,20,4,0,0,'provider',NULL,NULL,1234.567,190.0,1.0,'success',NULL,'{"project":"a"}','[{"provider":"acme","model":"large","outcome":"upstream_timeout","status":null,"duration_ms":1000.0},{"provider":"other","model":"vendor/large","outcome":"success","status":200,"duration_ms":234.0}]');
INSERT INTO "calls" VALUES('c','req-c','2026-11-20T11:00:00.000000Z','warning','call',NULL,NULL,NULL,'POST','/v1/chat/completions','chat',404,'gess',NULL,NULL,0,0,NULL,1,NULL,NULL,NULL,NULL,NULL,'none',NULL,NULL,200.0,190.0,1.0,'refused','model_not_found','{}','[]');
CREATE TABLE changes (
	subject VARCHAR(32) NOT NULL, 
	count BIGINT NOT NULL, 
	PRIMARY KEY (subject)
);
INSERT INTO "changes" VALUES('keys',1);
CREATE TABLE keys (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(128) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	hint VARCHAR(4) NOT NULL, 
	models TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	expires FLOAT, 
	revoked FLOAT, 
	metadata TEXT NOT NULL, 
	CONSTRAINT digest_is_sha256 CHECK (length(digest) = 64), 
	CONSTRAINT name_has_a_length CHECK (length(name) BETWEEN 1 AND 128), 
	UNIQUE (digest)
);
INSERT INTO "keys" VALUES(1,'ci','2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881','abcd','["fast"]',100.0,NULL,NULL,'{}');
CREATE TABLE schema_version (
	version INTEGER NOT NULL
);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE spools (
	name VARCHAR(256) NOT NULL, 
	shipped BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "spools" VALUES('1-2-x-000000.spool',777);
CREATE INDEX calls_request_id ON calls (request_id);
CREATE INDEX calls_model ON calls (model, timestamp);
CREATE INDEX calls_timestamp ON calls (timestamp);
CREATE INDEX calls_key ON calls ("key", timestamp);
CREATE UNIQUE INDEX keys_live_name ON keys (name) WHERE revoked IS NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('keys',1);
COMMIT;
