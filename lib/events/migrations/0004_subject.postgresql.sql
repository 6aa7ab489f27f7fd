-- The id of what the event is about, for outbox readers (deploy/debezium); NULL in events that earlier programs appended.
ALTER TABLE event_log ADD COLUMN subject uuid;
