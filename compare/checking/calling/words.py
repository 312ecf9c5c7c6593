"""Words by which arguments and attributes say what they are, plain: without case and underscores."""


def _set(text):
    return frozenset(text.split())


RATES = _set("lr rate learnrate learningrate eta alpha stepsize")
CACHES = ("cache", "caches", "memory", "context", "ctx", "saved")  # and what ends so
INPUT_WORDS = _set("x input inputs image images img aprev prev lastinput features")
OUTPUT_WORDS = _set("out output pooled y z a result")
UPSTREAM = _set("d dy da dz dh dnext upstream error err gradients gradout loss lossgrad")
TRAINING = _set("training train istraining istrain trainmode trainingmode savecache keepcache savegrad")
LABELS = _set("yactual ybatch yhot y t label labels target targets ytrue truth onehot yonehot labs trueclass")

# Of a constructor: shapes and sizes, windows, what a layer ends in, and what is added to a gradient unless it is 0.
SHAPES_IN = _set("inputshape inshape imageshape imgshape inputdims imagedim imagedims xdim xshape")
SHAPES = _set("shape inputshape size dims inputdims previousshape prevshape")  # of a method that prepares a layer
DIMENSIONS = _set("indim inputdim indims")  # of a layer of maps these are a shape
FILTERS = _set(
    "numfilters nfilters nbfilters filters outchannels outdepth depth f numkernels nkernels outputchannels nf cout "
    "nout nfilter numfilter filternum filtersnum nooffilters filtercount nbfilter outchan outc outch outputdepth "
    "noutchannels nc nk outchsize kernelnumber numberofkernels numberoffilters numberofoutputchannel kernelcount "
    "numberofoutputchannels nummaps outmaps outplanes filteramount"
)
CHANNELS = _set(
    "inchannels channels c indepth inputchannels inputdepth nchannels numchannels cin numinputchannels nin inc inch "
    "channel imagechannels inputschannel inchannel ninchannels nbchannels inchan inchsize inmaps numberofchannels "
    "numberofinputchannel numberofinputchannels inplanes nochannelsin channelsin previousfilters"
)
DEPTHS = _set("indepth inputdepth inchannels inputchannels nchannels numchannels")  # that are no filters
INPUTS = _set(
    "inputlen inputs infeatures fanin inputsize inputdim nin ninputs indim numinputs insize inputnodes ninput d "
    "inputlength inputunits inunits prev nprev sizein inputneurons inneurons numin unitsprev nodes1 insz inplanes"
)
CLASSES = _set(
    "nodes classes outfeatures outputs outputsize outputdim nout noutputs fanout numclasses nclasses units nneurons "
    "outsize outdim outunits outputunits numunits neurons numneurons outputnodes noutput numoutputs numout unitscurr "
    "nunits nneuron nodescount sizeout k outputlen outputlength hiddenunits outneurons outputneurons nodes2 outplanes "
    "outputshape outshape"
)
WINDOWS = _set(
    "kernelsize filtersize kernel size k ksize fsize poolsize pool kernelshape filtershape window windowsize "
    "kerneldim filterdim filterheight filterwidth kernelheight kernelwidth kh kw poolheight poolwidth poolh poolw "
    "fh fw kernelh kernelw filterh filterw hh ww poolingsize dim hfilter wfilter hkernel wkernel pooldim "
    "samplingfield poolfield filterdimension kerneldimension wxsize wysize poolx pooly windowheight windowwidth "
    "kernelx kernely poolingshape heightfilter widthfilter heightkernel widthkernel convolutionshape"
)
FILTER_ITSELF = _set("f filter filters kernel kernels")
MAPS_OF_POOL = (FILTERS | CHANNELS) - FILTER_ITSELF  # how many there are, where a pool is to be told
# The size of a map, as one number or a pair, where a convolution or a pool is to be told.
ROWS = _set("inputheight height imageheight xh hin inh imgh inputh")
COLUMNS = _set("inputwidth width imagewidth xw win inw imgw inputw")
MAPS = _set("inputsize imagesize imgsize insize inputdim") | ROWS | COLUMNS
STRIDES = _set("stride strides strideshape stridesize")
WEIGHTS = _set("w weight weights")
OPTIMISERS = _set("optimizer optimiser opt optim")
ACTIVATION_WORDS = _set("activation activationfunction activationfunc activationfn act actfn nonlinearity")
# Switches of a dense layer: that it is the last and ends in the softmax, that it ends in a ReLU.
LAST = _set("softmax usesoftmax last islast lastlayer islastlayer outputlayer isoutput isoutputlayer final isfinal")
RELU = _set("relu userelu hasrelu withrelu applyrelu useactivation")
NAMES = _set("name layername")
MODES = _set("mode pooltype type pooling method")
BATCHES = _set("batchsize bs nbatch batchlen nsamples numsamples nimages numimages")  # how many images there are
SETTINGS = _set("convparam convparams poolparam poolparams hparameters hparams hparam hyperparameters")
OFF = _set("off adam useadam depthwise transposed dilated verbose debug")
ON = _set("needupdate update trainable istrainable requiresgrad learnable train training")
NEUTRAL = _set("beta momentum reg l2 l1 lambda lambd regularization weightdecay decay dropout")

# Of functions: what an argument is, and the shape of what went in, of the whole array, without the batch, of a map.
_KINDS = {
    "x": "x a image images input inputs aprev img imgs data xin features activations z logits h convin orig",
    "w": "w weight weights filter filters kernel kernels wt filt",
    "b": "b bias biases",
    "dy": "dy dout dloutput dlout dldout grad da dz doutput gradoutput dnext dh gradout upstream delta d dldy",
    "cache": "cache caches memory",
    "rate": " ".join(RATES),
}
KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}
WENT_IN = _set("inputshape xshape shape originalshape inshape")
# Arguments that must be given, of a convolution and of pooling.
_SETTINGS = [
    {"stride": step, "pad": 0, **dict.fromkeys(("f", "size", "filter_size", "kernel_size", *more), window)}
    for step, window, more in ((1, 3, ()), (2, 2, ("pool_size", "pool_height", "pool_width")))
]
EXTRA: dict = dict.fromkeys(SETTINGS, _SETTINGS) | {
    name: [settings[meant] for settings in _SETTINGS]
    for meant, names in (("stride", "stride s"), ("pad", "pad padding"), ("size", "size poolsize f kernelsize"))
    for name in names.split()
}


def plain(name):
    """A name without case and underscores, as it is mostly spelt."""
    return name.lower().replace("_", "").replace("kernal", "kernel").replace("chanel", "channel")


def neutral(name):
    """Whether an argument adds something to a gradient, or keeps something from step to step, unless it is 0."""
    return name in NEUTRAL or name.endswith("momentum") or name.startswith(("lam", "reg", "weightdecay"))
