DROP TABLE IF EXISTS orders;

CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    item TEXT NOT NULL,
    cents INTEGER NOT NULL,
    status TEXT NOT NULL DEFAULT 'shipped'
);

INSERT INTO orders (id, customer, item, cents) VALUES
    (101, 'Robin', 'kettle', 3490),
    (102, 'Noor', 'kettle', 3490),
    (103, 'Robin', 'lamp', 1250),
    (104, 'Noor', 'chair', 8900);
