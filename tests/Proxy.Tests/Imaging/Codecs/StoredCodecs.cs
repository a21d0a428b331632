using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Imaging.Codecs;
using Proxy.Imaging.Sandbox;

namespace Proxy.Tests.Imaging.Codecs;

/// <summary>The codecs, compiled once for all runs of the tests: their code is stored beside the tests.</summary>
internal static class StoredCodecs
{
    private static readonly CompiledModule Compiled = new(Path.Join(AppContext.BaseDirectory, "codecs"), () => true);

    /// <summary>Loads the codecs into this process; the proxies that the tests start use them.</summary>
    public static void Load() => CodecEngine.Get(Compiled);

    public static CodecPool CreatePool() => new(Compiled, NullLogger<CodecPool>.Instance);

    public static FrameDecoder CreateDecoder() => new(CreatePool());
}
