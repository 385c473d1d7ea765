/**
 * The public API. Grouped by room, each name said once; what is not listed here may change
 * without notice.
 */

// core: errors, host arrays, random numbers, files of tensors
export {
  ConfigError,
  DataError,
  DeviceError,
  GibbsError,
  InterruptedError,
  NumericError,
  ShapeError,
  StoreError,
  TraceError,
} from './core/errors.ts';
export { type DType, type HostTensor, hostTensor } from './core/host-tensor.ts';
export { integers, type Key, normal, permutation, uniform } from './core/random.ts';
export {
  readSafetensorsFile,
  type Safetensors,
  type StoredTensor,
  writeSafetensorsFile,
} from './core/safetensors.ts';
export { averagedStateDicts, readStateDict, stateDictOf } from './core/torch-content.ts';
export { readTorchFile, torchTensor } from './core/torch-file.ts';
export { gibbsVersion } from './core/versions.ts';
export { logitPixels } from './datasets/dequantise.ts';
// datasets
export { type LmdbReader, openLmdb } from './datasets/lmdb.ts';
export {
  type LmdbPictures,
  type LmdbPicturesConfig,
  openLmdbPictures,
} from './datasets/lmdb-pictures.ts';
export { celebaCrop, crop, resizeAndCentre, resizeBilinear } from './datasets/resize.ts';
export { TOY_NAMES, type ToyName, toyBatch } from './datasets/toy.ts';
export { toyLogDensity, toyModes } from './datasets/toy-density.ts';
// diffusion
export { posteriorCoefficients, recoveryWeights } from './diffusion/posterior.ts';
export {
  noiseSchedule,
  type Schedule,
  type ScheduleConfig,
  scheduleConfig,
} from './diffusion/schedule.ts';
export { CELEBA64_PRESETS, celeba64 } from './experiments/celeba64.ts';
export {
  type Cifar10Numbers,
  type Cifar10Options,
  type Cifar10Result,
  type Cifar10Row,
  estimateCifar10,
  runCifar10,
} from './experiments/cifar10.ts';
export { CIFAR10_PRESETS, type Cifar10Config } from './experiments/cifar10-config.ts';
export type { ImageRunDetails } from './experiments/cifar10-details.ts';
export type { Cifar10Distances } from './experiments/cifar10-distances.ts';
// experiments: the derivation of the method, measured on a test bed that integrates exactly
export {
  atLeast,
  type Check,
  CheckList,
  type CheckRow,
  equality,
  equalityEverywhere,
  estimate,
  sampleMean,
} from './experiments/derivations/check.ts';
export {
  encoderDivergence,
  evidenceDecomposition,
  evidenceParts,
  forwardDivergence,
  generatorObjective,
  jeffreysBound,
  jeffreysBoundIsTight,
} from './experiments/derivations/evidence.ts';
export {
  conditionalMinority,
  coveringMatchesMoments,
  fitGaussian,
  marginalMinority,
  minorityMass,
} from './experiments/derivations/fits.ts';
export {
  constantEntropies,
  entropyBound,
  entropyBoundHolds,
  entropyDecomposition,
  generatorEntropies,
  generatorMarginalises,
  generatorSampling,
  planeGaussianEntropy,
  reverseBound,
  reverseDivergence,
} from './experiments/derivations/generator.ts';
export {
  encoderTable,
  generatorTable,
  momentMatchedEncoder,
  priorEncoder,
} from './experiments/derivations/latent-tables.ts';
export {
  divergence,
  entropy,
  expectation,
  integral,
  type Line,
  line,
  slope,
  tabulate,
} from './experiments/derivations/line.ts';
export { logMixture, logNormal, type Mixture } from './experiments/derivations/mixture.ts';
export {
  drawPenalty,
  penaltyEquivalence,
  penaltyGradients,
  penaltyParts,
  penaltySampling,
  residualEnergyReaches,
  residualEnergySlope,
  squaredErrorIsLikelihood,
} from './experiments/derivations/penalty.ts';
export { penaltyBlurs, penaltyOptimum } from './experiments/derivations/penalty-optimum.ts';
export { planeChecks } from './experiments/derivations/plane.ts';
export {
  adversarialGap,
  chainCloses,
  conditionalIsNormalised,
  forwardMarginal,
  forwardPosterior,
  optimumIsMarginal,
  optimumIsPosterior,
  partitionGradient,
  ratioIsConstant,
  recoveryGradient,
  recoveryLikelihood,
} from './experiments/derivations/recovery.ts';
export { fitRecovery } from './experiments/derivations/recovery-fit.ts';
export {
  type At,
  conditionalModel,
  energyValues,
  logForwardValues,
  logMarginal,
  logTruePosterior,
  monteCarloDraws,
  type TestBed,
  type TestBedConfig,
  testBed,
  truePosterior,
} from './experiments/derivations/test-bed.ts';
export {
  importanceRatio,
  importanceSampling,
  importanceWeighting,
  ratioAtOptimum,
  weightCurve,
} from './experiments/derivations/weight.ts';
export {
  type DrlNumbers,
  type DrlOptions,
  type DrlResult,
  estimateDrl,
  runDrl,
} from './experiments/drl-cifar10.ts';
export { DRL_PRESETS, type DrlImageConfig } from './experiments/drl-config.ts';
export type { LevelEnergies, LevelMoments } from './experiments/drl-evaluation.ts';
// Energy Discrepancy: density estimation, nearsightedness, stabiliser
export {
  type EdDensityOptions,
  type EdDensityResult,
  type EdDensityRun,
  type EdGridResult,
  runEdDensity,
  runEdGrid,
} from './experiments/ed-density.ts';
export {
  type EdDensityConfig,
  type EdMethod,
  edDensityConfigs,
  edGridCells,
  edObjective,
} from './experiments/ed-density-config.ts';
export { logDensityError } from './experiments/ed-density-evaluation.ts';
export { edGaussians, edGaussiansLogDensity } from './experiments/ed-gaussians.ts';
export { type ModeError, modeError } from './experiments/ed-mode-error.ts';
export {
  type EdMyopiaConfig,
  type EdMyopiaResult,
  edMyopiaConfig,
  runEdMyopia,
} from './experiments/ed-myopia.ts';
export {
  exactDiscrepancy,
  exactLikelihood,
  exactScoreMatching,
} from './experiments/ed-myopia-exact.ts';
export { ED_PRESETS, type EdPreset } from './experiments/ed-preset.ts';
export {
  type EdStabilisationConfig,
  type EdStabilisationResult,
  edStabilisationConfig,
  runEdStabilisation,
} from './experiments/ed-w-stabilisation.ts';
// MNIST: likelihood of NICE, modes of StackedMNIST, a latent prior by energy discrepancy
export { describeEstimate } from './experiments/eta.ts';
export {
  estimateLatentPrior,
  type LatentPriorOptions,
  type LatentPriorResult,
  runLatentPrior,
} from './experiments/latent-prior.ts';
export { LATENT_PRIOR_PRESETS } from './experiments/latent-prior-config.ts';
export { OUTSIDERS } from './experiments/latent-prior-evaluation.ts';
export { LSUN_CHURCH_PRESETS, lsunChurch } from './experiments/lsun-church.ts';
export {
  NICE_TABLE,
  runNiceTable,
  runStackedTable,
  STACKED_TABLE,
} from './experiments/mnist-tables.ts';
export {
  estimateNice,
  NICE_PRESETS,
  type NiceChoice,
  type NiceOptions,
  type NiceRun,
  niceConfig,
  runNice,
} from './experiments/nice.ts';
export {
  evaluateOod,
  OOD_SCORES,
  type OodOptions,
  type OodResult,
  readOod,
  writeOod,
} from './experiments/ood.ts';
export type {
  PictureConfig,
  PictureExperiment,
  PictureOptions,
  PictureResult,
} from './experiments/picture-experiment.ts';
export {
  countOfData,
  estimateStacked,
  picturesOfData,
  runStacked,
  type StackedOptions,
  type StackedResult,
  samplingFloor,
} from './experiments/stacked.ts';
export { STACKED_PRESETS } from './experiments/stacked-config.ts';
// experiments and figures
export { runToy, type ToyOptions, type ToyResult, toyPanelData } from './experiments/toy.ts';
export { evaluateToyCheckpoint, toyCheckpointPath } from './experiments/toy-checkpoint.ts';
export {
  TOY_PRESETS,
  type ToyConfig,
  type ToyPreset,
  toyConfig,
  toyObjective,
} from './experiments/toy-config.ts';
export {
  type BestFactor,
  bestFactor,
  type DivergenceParts,
  divergenceParts,
} from './experiments/toy-divergence.ts';
export {
  figureFromCheckpoints,
  figureFromRuns,
  type ToyFigureData,
} from './experiments/toy-figure.ts';
export { TOY_METHODS, type ToyMethod } from './experiments/toy-methods.ts';
export { TOY_FIGURES, type ToyPlan, toyPlan, withMethods } from './experiments/toy-plans.ts';
export { toyClaims, toyLossTable, toyTable } from './experiments/toy-table.ts';
export {
  cifar10CurvesFigure,
  cifar10EnergiesFigure,
  cifar10SamplesFigure,
} from './figures/cifar10.ts';
export { comparisonPanels } from './figures/comparison-panels.ts';
export { type DensityFigure, densityPanels } from './figures/density-panels.ts';
// figures of the derivations
export { coefficientFigure } from './figures/derivation-diffusion.ts';
export { divergenceFigure } from './figures/derivation-divergences.ts';
export { entropyFigure } from './figures/derivation-entropy.ts';
export { penaltyFigure } from './figures/derivation-penalty.ts';
export { recoveryFigure, recoveryFitFigure } from './figures/derivation-recovery.ts';
export { weightFigure } from './figures/derivation-weight.ts';
export {
  type DrlPicture,
  drlDistancesFigure,
  drlLevelsFigure,
  drlSamplesFigure,
  drlTrajectoryFigure,
} from './figures/drl.ts';
export { edDensityFigure, edErrorFigure, edGridFigure } from './figures/ed-density.ts';
export { edMyopiaFigure } from './figures/ed-myopia.ts';
export { edStabilisationFigure } from './figures/ed-w-stabilisation.ts';
export { type Fig1Run, type Fig1Setting, fig1 } from './figures/fig1.ts';
export {
  type ImageSweep,
  type ImageSweepOptions,
  imageDistanceLines,
  imageSheets,
} from './figures/image-sweep.ts';
export { latentEnergyFigure, latentPicturesFigure } from './figures/latent-prior.ts';
export { niceCurvesFigure, niceSamplesFigure } from './figures/nice.ts';
export {
  type NoiseLevels,
  noiseLevelsFigure,
  noisyPicturesFigure,
} from './figures/noise-levels.ts';
export { oodFigure } from './figures/ood.ts';
export { type PictureFigure, picturePanels } from './figures/picture-panels.ts';
export { renderPng, renderSvg } from './figures/render.ts';
export { stackedCurvesFigure, stackedSamplesFigure } from './figures/stacked.ts';
export { type SweepLineOptions, sweepLines } from './figures/sweep-lines.ts';
export { type SweepPanelOptions, sweepPanels } from './figures/sweep-panels.ts';
export { toyComparison } from './figures/toy-comparison.ts';
export { toyCurves } from './figures/toy-curves.ts';
// jit: the engine
export {
  type Device,
  device,
  type GradOptions,
  grad,
  type JitFunction,
  type JitOptions,
  type JitStats,
  jit,
  type Provider,
  stopGradient,
  type Tensor,
  tf,
  useEagerBackend,
  type ValueAndGrad,
  valueAndGrad,
} from './jit/index.ts';
// metrics
export { auroc, detection } from './metrics/auroc.ts';
export { featureStatistics, frechetDistance } from './metrics/fid.ts';
export { gridPoints, klOnGrid, normaliseOnGrid, TOY_GRID } from './metrics/grid.ts';
export { aurocOnGrid } from './metrics/grid-auroc.ts';
export { inceptionScore } from './metrics/inception-score.ts';
export { bitsPerDim, meanAndError } from './metrics/likelihood.ts';
export { mmd } from './metrics/mmd.ts';
export { labelModes, modeCoverage } from './metrics/modes.ts';
// models
export { type DrlResNetConfig, drlResNet } from './models/drl-resnet.ts';
export {
  encoder64,
  type ImageEncoderConfig,
  largeEncoder,
  smallEncoder,
} from './models/encoders.ts';
export { type MlpConfig, mlp } from './models/mlp.ts';
export {
  DDPMPP_LSUN128,
  NCSNPP_CELEBA64,
  NCSNPP_CIFAR10,
  type NcsnppGeneratorConfig,
  ncsnppEnergy,
  ncsnppGenerator,
} from './models/ncsnpp.ts';
export { type BoundFlow, nice, timeNice } from './models/nice.ts';
export {
  type NetworkSummary,
  summarise,
  summariseEncoder,
  summariseEnergy,
  summariseGenerator,
} from './models/summary.ts';
export { toyEncoder, toyEnergy, toyGenerator } from './models/toy.ts';
export type { UnetConfig } from './models/unet-config.ts';
export { type WideResNetConfig, wideResNet } from './models/wide-resnet.ts';
// objectives
export { contrastiveDivergenceObjective } from './objectives/contrastive-divergence.ts';
export { type Ddaebm, ddaebm } from './objectives/ddaebm.ts';
export {
  type DdaebmConfig,
  type DdaebmOptions,
  DEFAULT_OPTIONS,
  PAPER_FORM,
  RELEASED_IMAGE_FORM,
} from './objectives/ddaebm-config.ts';
export { energyDiscrepancy, energyDiscrepancyObjective } from './objectives/energy-discrepancy.ts';
export type { HostState, NoiseSpec, NoiseSpecs, Objective } from './objectives/objective.ts';
export { scoreMatchingObjective } from './objectives/score-matching.ts';
// optim
export { type AdamConfig, type AdamState, adam } from './optim/adam.ts';
export { constant, cosineAnnealing, exponential } from './optim/schedules.ts';
// samplers
export { ancestralChain } from './samplers/ancestral.ts';
export { langevin, langevinChain } from './samplers/langevin.ts';
// sweeps
export type { SlurmResources, SweepSpec } from './sweep/plan.ts';
export type { SweepProvenance, SweepResult, SweepRun } from './sweep/result.ts';
export type { RunDetails } from './sweep/run-details.ts';
export {
  type Estimate,
  formatEstimate,
  type SummaryOptions,
  SummaryTable,
  type TableRun,
} from './sweep/summary.ts';
export { type SweepOptions, sweep } from './sweep/sweep.ts';
// train
export { type Progress, type TrainOptions, type TrainResult, train } from './train/loop.ts';
export { type MetricsRow, RunFolder } from './train/run.ts';
export { type Condition, parseCondition } from './train/store/query.ts';
export { type RunRecord, type RunStatus, statusOf } from './train/store/record.ts';
export { type ListOptions, RunStore, type StoreChanges } from './train/store/run-store.ts';
