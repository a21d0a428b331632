using Proxy.Rendering.Making;

namespace Proxy.Rendering;

/// <summary>Registers how pictures are made and served.</summary>
internal static class RenderingServices
{
    /// <summary>Registers the services of rendered resources.</summary>
    public static void AddRendering(this IServiceCollection services)
    {
        services.AddSingleton<WholeFrames>();
        services.AddSingleton<RenderableInstances>();
        services.AddSingleton<PresentationValues>();
        services.AddSingleton<BackendPictures>();
        services.AddSingleton<PictureMaker>();
        services.AddSingleton<PictureVariety>();
        services.AddSingleton<PictureReader>();
        services.AddSingleton<DocumentReader>();
        services.AddSingleton<RepresentativeFrames>();
        services.AddSingleton<RenderedAnswers>();
        services.AddSingleton<RenderedSets>();
        services.AddSingleton<Thumbnails>();
    }
}
