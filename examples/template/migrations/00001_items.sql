-- +goose Up
CREATE TABLE items (
    item_id TEXT PRIMARY KEY,
    name    TEXT NOT NULL
);

-- +goose Down
DROP TABLE items;
