// What the addon says of a model's writers and its residual stream.

/** What a step on a writer's way to the stream does; native/engine/graph_walk.h says it of each. */
export type PathStepKind =
  | 'bias'
  | 'expert bias'
  | 'constant'
  | 'scalar'
  | 'channel'
  | 'norm'
  | 'other norm'
  | 'slot'
  | 'router weight'
  | 'expert scale'
  | 'token gate'
  | 'channel gate'
  | 'hyper-connection'
  | 'restart'
  | 'concat'
  | 'clamp'
  | 'part'
  | 'transposed'
  | 'product'
  | 'other';

export interface PathStep {
  kind: PathStepKind;
  /** Of the model: a gain, a bias, a scalar. */
  tensor?: string;
  /** Of a constant or a scalar; null where only the file's metadata was read. */
  value?: number | null;
  /** The engine's operation, where the kind doesn't tell. */
  what?: string;
}

/** What an update of a writer does to the stream; native/engine/writers.h says it of each. */
export type WriterClass =
  | 'direct'
  | 'constant'
  | 'expert'
  | 'gate'
  | 'hyper-connection'
  | 'restart'
  | 'post-norm'
  | 'embedding'
  | 'unsupported';

/** A matrix that writes to the residual stream, as found in the engine's graph. */
export interface NativeWriter {
  name: string;
  /** -1 outside the blocks. */
  layer: number;
  /** In words, for people. */
  kind: string;
  type: string;
  nIn: number;
  nOut: number;
  nExperts: number;
  class: WriterClass;
  /** The reason when the class is `unsupported`; otherwise what else to know of it. */
  why: string;
  /** Product of the constants and scalars on the way that reach the stream; null where it is not known. */
  factor: number | null;
  /** Tensors [nOut] that multiply the channels on the way. */
  gains: string[];
  /** Tensor [nExperts] that multiplies the experts' outputs. */
  expertScale: string | null;
  /** From the matrix to the stream. */
  path: PathStep[];
  /** How often the graph multiplies by it. */
  uses: number;
  /**
   * A run-time adapter's left factor is the edit's times `ratio` and, with `expertScale`, times each expert's element of
   * that tensor. Not honoured: the engine ignores an adapter of this matrix. Null: not looked for.
   */
  adapter: { honoured: boolean; ratio: number | null; expertScale: boolean } | null;
  /** Names of nodes: its input, its output, what joins the stream, and the stream after that. */
  input: string;
  product: string;
  top: string;
  join: string;
}

export interface NativeWriterReport {
  architecture: string;
  /** In the order of computation. */
  writers: NativeWriter[];
  /**
   * The token embeddings, nIn tokens and nOut channels, in the file [nOut, nIn]; `uses` is above 0 where they are the output
   * head, too. Null: the stream begins otherwise.
   */
  embedding: NativeWriter | null;
  layers: {
    layer: number;
    /** Everything that the layer adds to the stream is understood: its writers, and what `reason` names. */
    covered: boolean;
    /** Why it is not, why it has no writers, or what else it adds. */
    reason: string;
    /** The node that holds the stream after the layer. */
    stream: string | null;
    /** More than one with hyper-connections: the node is [dModel, nStreams, tokens]. */
    nStreams: number;
    /** The node has this name in every graph of the model, and no other node has it. */
    stable: boolean;
  }[];
  /** Ways to the stream that are not understood. */
  unknown: { operation: string; node: string; why: string; layer: number }[];
  /** What happens to the stream itself, from the output head backwards. */
  stream: (PathStep & { node: string })[];
  /** Tables and inputs that are added to the stream as they are. */
  lookups: string[];
  /** The node that is the output head's input. */
  end: string;
}
