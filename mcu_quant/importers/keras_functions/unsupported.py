"""Functions of keras.ops that have no form here: why, by operation class."""

from __future__ import annotations

from mcu_quant.ops.keras import LayerRefused

_COMPLEX = "there are no complex numbers"
_SPECTRUM = "spectra are computed before the model: feed the data that they give"
_SORT = "no operator sorts"
_SIZE = "the size of the result would depend on the data"
_CODE = "it holds a Python function, which is never run"
_SOLVE = "no operator solves or factors matrices"
_TRAIN = "it is for training; end the model before it"
_BITS = "no operator works on the bits of integers"
_WARP = "no operator warps images; do it before the model"
_SCATTER = "no operator writes at computed places"
_FUNCTION = "no operator computes this function; Dense layers or a table can approximate it"
_NAN = "activations are never NaN or infinite here: the function without nan does the same"
_MAKER = "constants are made by NumPy or by the function outside the model"
_ENCODE = "do it before the model: feed the data that it gives"

_REASONS = {
    _COMPLEX: "Angle Imag Isreal Polar ViewAsComplex ViewAsReal",
    _SPECTRUM: "FFT FFT2 IFFT2 RFFT IRFFT STFT ISTFT ExtractSequences",
    _SORT: "Argsort Argpartition Median Nanmedian Percentile Nanpercentile Quantile Nanquantile Sort TopK "
    "InTopK SearchSorted Digitize Bincount Histogram Sparsemax",
    _SIZE: "Nonzero Unique CountNonzero",
    _CODE: "Map Scan AssociativeScan Switch WhileLoop ForiLoop Cond VectorizedMap JVP",
    _SOLVE: "Cholesky CholeskyInverse Det Eig Eigh Inv LuFactor Qr Solve SolveTriangular SVD Lstsq "
    "MatrixRank Pinv Slogdet Logdet",
    _TRAIN: "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy CTCLoss CTCDecode "
    "PSNR SSIM Corrcoef",
    _BITS: "BitwiseAnd BitwiseInvert BitwiseNot BitwiseOr BitwiseXor BitwiseLeftShift LeftShift "
    "BitwiseRightShift RightShift Gcd Lcm Ldexp Nextafter Signbit View",
    _WARP: "AffineTransform PerspectiveTransform ElasticTransform MapCoordinates ScaleAndTranslate "
    "GaussianBlur SobelEdges RGBToHSV HSVToRGB",
    _SCATTER: "Scatter ScatterUpdate SliceUpdate SegmentReduction SegmentSum SegmentMax SegmentMin "
    "SegmentProd Fold Unfold ExtractPatches TakeAlongAxis UnravelIndex",
    _FUNCTION: "Arccos Arccosh Arcsin Arcsinh Arctan Arctan2 Arctanh Cbrt Erf Erfc Erfinv I0 Sinc",
    _NAN: "Nanargmax Nanargmin Nancumsum Nancumprod Nanmax Nanmean Nanmin Nanprod Nanstd Nansum Nanvar "
    "NanToNum Isfinite Isinf Isnan Isneginf Isposinf Isclose AllClose IsIn",
    _MAKER: "Arange Full Geomspace Linspace Logspace Meshgrid EmptyLike Diag Diagflat Tril Triu Vander "
    "Ndim Size",
    _ENCODE: "MultiHot",
    "no operator computes this; build it from matmul, multiply, sum and slices": "CDist Correlate Cross "
    "Cumprod DivideNoNan Fmod Heaviside Kron Logaddexp Logaddexp2 Diagonal Trace Trapezoid Outer Vdot",
    "the batch is never reversed, stacked or split": "Flipud Vstack Vsplit",
    "flattening the batch mixes samples: layers.Flatten": "Ravel",
    "ops.cast says what is meant": "SaturateCast",
}
#: Why, by class.
REASONS = {name: reason for reason, names in _REASONS.items() for name in names.split()}


def unsupported_function(label: str, symbol: str) -> LayerRefused:
    """label: what the user wrote. symbol: the operation class or TensorFlow symbol."""
    hint = "the Keras layer that does the same, e.g. Rescaling, Activation, Reshape, Add, Multiply"
    return LayerRefused("there is no form for this function", value=label, hint=REASONS.get(symbol, hint))
