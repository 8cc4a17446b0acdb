// For `import`: the names of the CommonJS build, so that a process never holds two copies of the library.
export * from './index.js';
