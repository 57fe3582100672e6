/** Stands for the package node-fetch in the bundles, where gaxios would load it for requests of its own; it makes none here. */
export default globalThis.fetch;
