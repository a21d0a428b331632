using Proxy.Imaging.Codecs;
using Proxy.Imaging.Sandbox;

namespace Proxy.Imaging;

/// <summary>Registers decoding and encoding of frames.</summary>
internal static class ImagingServices
{
    /// <summary>Registers the decoder and the encoder, and the sandbox that they use.</summary>
    /// <param name="services">The services.</param>
    /// <param name="folder">A private folder for the compiled codecs; null to compile them at their first use.</param>
    /// <param name="prepares">True to compile the codecs after the start, before a client needs them.</param>
    /// <param name="mayWrite">True while the disk of that folder is usable.</param>
    public static void AddImaging(
        this IServiceCollection services, string? folder, bool prepares, Func<IServiceProvider, bool> mayWrite)
    {
        services.AddSingleton(s => new CompiledModule(folder, () => mayWrite(s)));
        services.AddSingleton<CodecPool>();
        services.AddSingleton(s => new FrameDecoder(s.GetRequiredService<CodecPool>()));
        services.AddSingleton(s => new FrameEncoder(s.GetRequiredService<CodecPool>(), s.GetRequiredService<FrameDecoder>()));
        services.AddHostedService(s => ActivatorUtilities.CreateInstance<CodecPreparation>(s, prepares));
    }
}
