/** One convolution of Inception v3, with batch norm and ReLU behind it. */
export interface InceptionLayer {
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly kernel: readonly [number, number];
  /** Default 1. */
  readonly stride?: number;
  /** Rows and columns of zeros on either side. Default none. */
  readonly padding?: readonly [number, number];
}

type Pair = readonly [number, number];

const layer = (
  name: string,
  input: number,
  output: number,
  kernel: number | Pair,
  rest: Pick<InceptionLayer, 'stride' | 'padding'> = {},
): InceptionLayer => ({
  name,
  input,
  output,
  kernel: typeof kernel === 'number' ? [kernel, kernel] : kernel,
  ...rest,
});

/** Padding that keeps the size at stride 1. */
const same = (name: string, input: number, output: number, kernel: number | Pair) => {
  const [h, w] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  return layer(name, input, output, kernel, { padding: [(h - 1) / 2, (w - 1) / 2] });
};

const HALVE = { stride: 2 } as const;
const ROW: Pair = [1, 7];
const COLUMN: Pair = [7, 1];

function formA(name: string, input: number, pool: number): InceptionLayer[] {
  return [
    layer(`${name}.branch1x1`, input, 64, 1),
    layer(`${name}.branch5x5_1`, input, 48, 1),
    same(`${name}.branch5x5_2`, 48, 64, 5),
    layer(`${name}.branch3x3dbl_1`, input, 64, 1),
    same(`${name}.branch3x3dbl_2`, 64, 96, 3),
    same(`${name}.branch3x3dbl_3`, 96, 96, 3),
    layer(`${name}.branch_pool`, input, pool, 1),
  ];
}

function formC(name: string, inner: number): InceptionLayer[] {
  return [
    layer(`${name}.branch1x1`, 768, 192, 1),
    layer(`${name}.branch7x7_1`, 768, inner, 1),
    same(`${name}.branch7x7_2`, inner, inner, ROW),
    same(`${name}.branch7x7_3`, inner, 192, COLUMN),
    layer(`${name}.branch7x7dbl_1`, 768, inner, 1),
    same(`${name}.branch7x7dbl_2`, inner, inner, COLUMN),
    same(`${name}.branch7x7dbl_3`, inner, inner, ROW),
    same(`${name}.branch7x7dbl_4`, inner, inner, COLUMN),
    same(`${name}.branch7x7dbl_5`, inner, 192, ROW),
    layer(`${name}.branch_pool`, 768, 192, 1),
  ];
}

function formE(name: string, input: number): InceptionLayer[] {
  return [
    layer(`${name}.branch1x1`, input, 320, 1),
    layer(`${name}.branch3x3_1`, input, 384, 1),
    same(`${name}.branch3x3_2a`, 384, 384, [1, 3]),
    same(`${name}.branch3x3_2b`, 384, 384, [3, 1]),
    layer(`${name}.branch3x3dbl_1`, input, 448, 1),
    same(`${name}.branch3x3dbl_2`, 448, 384, 3),
    same(`${name}.branch3x3dbl_3a`, 384, 384, [1, 3]),
    same(`${name}.branch3x3dbl_3b`, 384, 384, [3, 1]),
    layer(`${name}.branch_pool`, input, 192, 1),
  ];
}

/** All 94 convolutions, by their names in the published state dict. */
export const INCEPTION_LAYERS: readonly InceptionLayer[] = [
  layer('Conv2d_1a_3x3', 3, 32, 3, HALVE),
  layer('Conv2d_2a_3x3', 32, 32, 3),
  same('Conv2d_2b_3x3', 32, 64, 3),
  layer('Conv2d_3b_1x1', 64, 80, 1),
  layer('Conv2d_4a_3x3', 80, 192, 3),
  ...formA('Mixed_5b', 192, 32),
  ...formA('Mixed_5c', 256, 64),
  ...formA('Mixed_5d', 288, 64),
  layer('Mixed_6a.branch3x3', 288, 384, 3, HALVE),
  layer('Mixed_6a.branch3x3dbl_1', 288, 64, 1),
  same('Mixed_6a.branch3x3dbl_2', 64, 96, 3),
  layer('Mixed_6a.branch3x3dbl_3', 96, 96, 3, HALVE),
  ...formC('Mixed_6b', 128),
  ...formC('Mixed_6c', 160),
  ...formC('Mixed_6d', 160),
  ...formC('Mixed_6e', 192),
  layer('Mixed_7a.branch3x3_1', 768, 192, 1),
  layer('Mixed_7a.branch3x3_2', 192, 320, 3, HALVE),
  layer('Mixed_7a.branch7x7x3_1', 768, 192, 1),
  same('Mixed_7a.branch7x7x3_2', 192, 192, ROW),
  same('Mixed_7a.branch7x7x3_3', 192, 192, COLUMN),
  layer('Mixed_7a.branch7x7x3_4', 192, 192, 3, HALVE),
  ...formE('Mixed_7b', 1280),
  ...formE('Mixed_7c', 2048),
];
