//! All of them under one name, so that a runner can leave them for a run of their own.

mod algorithms;
mod cancel;
mod certificates;
mod checkpoint;
mod command_line;
mod deadly;
mod foreign;
mod grant;
mod health_check;
mod history;
mod outage;
mod own_key;
mod quotes;
mod refusals;
mod retrieval;
mod stolen_api;
mod story;
mod theft;
mod undisturbed;
mod verified_files;
mod worker;
