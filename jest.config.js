// One project a folder of test/. Tests that load a model run one after another: see scripts/run-tests.mjs.
const transform = {
  '/(lib|test/helpers)/parquet\\.ts$|/node_modules/hyparquet': '<rootDir>/test/helpers/common-js.js',
  '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json', diagnostics: { ignoreCodes: [151002] } }],
};

module.exports = {
  testTimeout: 300_000,
  projects: ['unit', 'kernels', 'model', 'process', 'types', 'package'].map((folder) => ({
    displayName: folder,
    testEnvironment: 'node',
    setupFilesAfterEnv: ['<rootDir>/test/helpers/own-cache.ts'],
    testMatch: [`<rootDir>/test/${folder}/**/*.test.ts`],
    modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/'],
    transform,
    transformIgnorePatterns: ['/node_modules/(?!hyparquet)'],
  })),
};
