declare module 'node-gyp-build' {
  /** Loads the addon of a package: build/Release first, then prebuilds for this platform. */
  export default function nodeGypBuild(root: string): unknown;
}
