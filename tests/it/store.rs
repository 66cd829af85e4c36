//! The stores: the interface, and what must hold for every sequence of operations. These tests need a `redis-server`.

mod backup_numbers;
mod cleanup;
mod clocks;
mod consistency_check;
mod full_stores;
mod interface;
mod model;
