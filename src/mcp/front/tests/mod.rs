//! Rules of the front, against copies that are played.
