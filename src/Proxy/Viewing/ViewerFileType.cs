using System.Collections.Frozen;

namespace Proxy.Viewing;

/// <summary>How files with one extension are sent.</summary>
/// <param name="MediaType">The content type. Browsers refuse modules and WebAssembly of another type.</param>
/// <param name="IsCompressible">Whether compression makes the file smaller.</param>
internal sealed record ViewerFileType(string MediaType, bool IsCompressible)
{
    private static readonly FrozenDictionary<string, ViewerFileType> Types = new Dictionary<string, ViewerFileType>
    {
        [".html"] = new("text/html; charset=utf-8", true),
        [".js"] = new("text/javascript; charset=utf-8", true),
        [".mjs"] = new("text/javascript; charset=utf-8", true),
        [".css"] = new("text/css; charset=utf-8", true),
        [".json"] = new("application/json", true),
        [".jsonc"] = new("application/json", true),
        [".map"] = new("application/json", true),
        [".webmanifest"] = new("application/manifest+json", true),
        [".webapp"] = new("application/manifest+json", true),
        [".xml"] = new("text/xml; charset=utf-8", true),
        [".txt"] = new("text/plain; charset=utf-8", true),
        [".wasm"] = new("application/wasm", true),
        [".svg"] = new("image/svg+xml", true),
        [".ico"] = new("image/x-icon", true),
        [".ttf"] = new("font/ttf", true),
        [".png"] = new("image/png", false),
        [".jpg"] = new("image/jpeg", false),
        [".jpeg"] = new("image/jpeg", false),
        [".gif"] = new("image/gif", false),
        [".webp"] = new("image/webp", false),
        [".woff"] = new("font/woff", false),
        [".woff2"] = new("font/woff2", false),
        [".onnx"] = new("application/octet-stream", false),
        [".bin"] = new("application/octet-stream", false),
        [".data"] = new("application/octet-stream", false),
    }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>The type of a file; null for an extension that no viewer has.</summary>
    /// <param name="name">The name or path of the file.</param>
    public static ViewerFileType? Find(string name) => Types.GetValueOrDefault(Path.GetExtension(name));
}
