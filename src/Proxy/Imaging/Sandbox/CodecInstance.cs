using Wasmtime;

namespace Proxy.Imaging.Sandbox;

/// <summary>One instance of the module of codecs: an own linear memory, without files, sockets, clocks or system calls.</summary>
/// <remarks>
/// An instance is used by one thread. After a trap, an exception of a codec or the deadline its memory is in no known state: it must be
/// disposed. The module was compiled without C++ exceptions, so some errors of a codestream arrive as a trap.
/// </remarks>
internal sealed class CodecInstance : IDisposable
{
    /// <summary>The limit of the linear memory: the module begins with 256 MiB of untouched zeros.</summary>
    private const long MaxMemory = 768L << 20;

    private const int MaxTableElements = 10_000;

    /// <summary>The error of WASI for a bad file descriptor (errno 8).</summary>
    private const int BadDescriptor = 8;

    /// <summary>The indices of the module for Photometric Interpretation; others are coded like RGB.</summary>
    private const int Monochrome = 1, Rgb = 3, YbrFull = 4;

    private const int ProgressionRpcl = 2;

    private readonly Store _store;
    private readonly Linker _linker;
    private readonly Instance _instance;
    private readonly Memory _memory;

    /// <summary>Creates the instance and its memory.</summary>
    public CodecInstance(Engine engine, Module module)
    {
        _store = new(engine);
        _linker = new(engine);
        try
        {
            _store.SetLimits(memorySize: MaxMemory, tableElements: MaxTableElements, instances: 1, tables: 1, memories: 1);
            Refuse(_linker);
            _store.SetEpochDeadline(CodecEngine.GetTicks(TimeSpan.FromSeconds(10)));
            _instance = _linker.Instantiate(_store, module);
            _memory = _instance.GetMemory("memory") ?? throw new InvalidOperationException("The module exports no memory.");
            _instance.GetAction("_initialize")?.Invoke();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Runs a task to its end or its deadline.</summary>
    /// <exception cref="WasmtimeException">The codec failed; dispose the instance.</exception>
    public byte[] Run(CodecTask task)
    {
        _store.SetEpochDeadline(CodecEngine.GetTicks(task.Deadline));
        var context = Call("CreateCodecsContext");
        SetLayout(context, task.Layout);
        Fill(context, task.Encodes ? "Decoded" : "Encoded", task.Input.Span);
        var parameters = task.Encodes ? CreateEncoderParameters() : CreateDecoderParameters();
        Do(task.Function, context, parameters);
        var result = Read(context, task.Encodes ? "Encoded" : "Decoded");
        Do(task.Encodes ? "ReleaseEncoderParameters" : "ReleaseDecoderParameters", parameters);
        Do("ReleaseCodecsContext", context);
        return result;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _linker.Dispose();
        _store.Dispose();
    }

    /// <summary>The imports of the module: all of them refuse, do nothing, or end the call.</summary>
    private static void Refuse(Linker linker)
    {
        linker.DefineFunction("env", "onCodecsException", (int _, int _) => End("The codec refused its input."));
        linker.DefineFunction<int, int>("env", "onCodecsInfo", (_, _) => { });
        linker.DefineFunction<int, int>("env", "onCodecsTrace", (_, _) => { });
        linker.DefineFunction<int>("env", "emscripten_notify_memory_growth", _ => { });
        const string wasi = "wasi_snapshot_preview1";
        linker.DefineFunction(wasi, "proc_exit", (int _) => End("The module ended itself."));
        linker.DefineFunction<int, long, int, int>(wasi, "clock_time_get", (_, _, _) => BadDescriptor);
        linker.DefineFunction<int, int, int, int, int>(wasi, "fd_write", (_, _, _, _) => BadDescriptor);
        linker.DefineFunction<int, int>(wasi, "fd_close", _ => BadDescriptor);
        linker.DefineFunction<int, long, int, int, int>(wasi, "fd_seek", (_, _, _, _) => BadDescriptor);
        linker.DefineFunction<int, int, int>(wasi, "environ_sizes_get", (_, _) => BadDescriptor);
        linker.DefineFunction<int, int, int>(wasi, "environ_get", (_, _) => BadDescriptor);
    }

    private static void End(string reason) => throw new InvalidDataException(reason);

    private void SetLayout(int context, PixelLayout layout)
    {
        Do("SetColumns", context, layout.Columns);
        Do("SetRows", context, layout.Rows);
        Do("SetBitsAllocated", context, layout.BitsAllocated);
        Do("SetBitsStored", context, layout.BitsStored);
        Do("SetSamplesPerPixel", context, layout.SamplesPerPixel);
        Do("SetPixelRepresentation", context, layout.IsSigned ? 1 : 0);
        Do("SetPlanarConfiguration", context, layout.IsPlanar ? 1 : 0);
        var colours = layout.SamplesPerPixel == 1 ? Monochrome : layout.PhotometricInterpretation == "RGB" ? Rgb : YbrFull;
        Do("SetPhotometricInterpretation", context, colours);
    }

    /// <summary>No conversion of colours: the result is in the colours of the codestream.</summary>
    private int CreateDecoderParameters()
    {
        var parameters = Call("CreateDecoderParameters");
        Do("SetConvertColorspaceToRgb", parameters, 0);
        return parameters;
    }

    private int CreateEncoderParameters()
    {
        var parameters = Call("CreateEncoderParameters");
        Do("SetLossy", parameters, 0);
        Do("SetAllowedLossyError", parameters, 0);
        Do("SetProgressionOrder", parameters, ProgressionRpcl);
        Do("SetAllowMct", parameters, 1);
        return parameters;
    }

    private void Fill(int context, string buffer, ReadOnlySpan<byte> bytes)
    {
        Do($"Set{buffer}BufferSize", context, bytes.Length);
        bytes.CopyTo(GetSpan(Call($"Get{buffer}Buffer", context), bytes.Length));
    }

    private byte[] Read(int context, string buffer)
    {
        var length = Call($"Get{buffer}BufferSize", context);
        return GetSpan(Call($"Get{buffer}Buffer", context), length).ToArray();
    }

    /// <summary>A part of the linear memory. The module names it, so its bounds are checked.</summary>
    private Span<byte> GetSpan(int address, int length)
    {
        var (start, size) = ((long)(uint)address, _memory.GetLength());
        if (length < 0 || start == 0 || start + length > size)
            throw new InvalidDataException("The module named a buffer outside its memory.");
        return _memory.GetSpan(start, length);
    }

    private int Call(string function) => Find(_instance.GetFunction<int>(function), function)();

    private int Call(string function, int argument) => Find(_instance.GetFunction<int, int>(function), function)(argument);

    private void Do(string function, int argument) => Find(_instance.GetAction<int>(function), function)(argument);

    private void Do(string function, int first, int second) => Find(_instance.GetAction<int, int>(function), function)(first, second);

    private static T Find<T>(T? function, string name) where T : Delegate =>
        function ?? throw new InvalidOperationException($"The module does not export {name}.");
}
