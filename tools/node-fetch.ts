/** Stands for the package node-fetch in the bundles: gaxios loads it where Node's own fetch does the same, on the same connections. */
export default globalThis.fetch;
