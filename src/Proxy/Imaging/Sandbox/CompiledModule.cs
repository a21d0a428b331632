using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Wasmtime;

namespace Proxy.Imaging.Sandbox;

/// <summary>The module of codecs, and its machine code, which is stored in a private folder because compiling takes seconds.</summary>
/// <remarks>
/// <code>
/// {folder}/{SHA-256 of the module, 16 digits}-{version of Wasmtime}-{architecture}     SHA-256(32) machine code
/// </code>
/// Machine code runs outside the sandbox rules that the compiler enforces. So a file is used only if no other user could have written
/// it (<see cref="PrivateFile"/>) and if its checksum is right.
/// </remarks>
/// <param name="folder">Of the file; null to compile in every process.</param>
/// <param name="mayWrite">True while the disk is usable.</param>
internal sealed class CompiledModule(string? folder, Func<bool> mayWrite)
{
    /// <summary>dcmjs-codecs 0.0.8, build/dcmjs-native-codecs.wasm.</summary>
    public const string Sha256 = "DFF1BC9B3872588C231EA90894F05E7EACD7F5074B9DB964E64E7F3F29821D30";

    private const string Name = "dcmjs-native-codecs.wasm";

    private static string FileName => string.Create(
        CultureInfo.InvariantCulture,
        $"{Sha256[..16]}-{typeof(Engine).Assembly.GetName().Version}-{RuntimeInformation.ProcessArchitecture}");

    /// <summary>Loads the stored machine code, or compiles the module and stores it.</summary>
    /// <exception cref="InvalidOperationException">The module in this build is not the pinned one.</exception>
    public Module Load(Engine engine)
    {
        if (TryLoadStored(engine) is { } stored) return stored;
        var module = Module.FromBytes(engine, Name, ReadModule());
        if (folder is not null && mayWrite()) Store(module);
        return module;
    }

    /// <summary>The bytes of the module, checked.</summary>
    public static byte[] ReadModule()
    {
        using var stream = typeof(CompiledModule).Assembly.GetManifestResourceStream(Name)
            ?? throw new InvalidOperationException($"{Name} is not part of this build.");
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return Convert.ToHexString(SHA256.HashData(bytes)) == Sha256
            ? bytes
            : throw new InvalidOperationException($"{Name} in this build is not the expected file.");
    }

    private Module? TryLoadStored(Engine engine)
    {
        if (folder is null || PrivateFile.TryRead(folder, FileName) is not { Length: > SHA256.HashSizeInBytes } bytes) return null;
        var code = bytes.AsSpan(SHA256.HashSizeInBytes);
        if (!SHA256.HashData(code).AsSpan().SequenceEqual(bytes.AsSpan(0, SHA256.HashSizeInBytes))) return null;
        try
        {
            return Module.Deserialize(engine, Name, code);
        }
        catch (WasmtimeException)
        {
            // Of another processor or another configuration of the engine.
            return null;
        }
    }

    private void Store(Module module)
    {
        var code = module.Serialize();
        PrivateFile.TryWrite(folder!, FileName, [.. SHA256.HashData(code), .. code]);
    }
}
