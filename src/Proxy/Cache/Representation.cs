using Proxy.Dicom;

namespace Proxy.Cache;

/// <summary>What a cached body is a representation of its resource in: everything that its bytes depend on besides the resource.</summary>
/// <param name="Format">Media type and transfer syntax that the backend was asked for; null for bulk data in the backend's choice.</param>
public readonly record struct Representation(BodyFormat? Format)
{
    /// <summary>
    /// The parameters of the rendering, as canonical text: equal parameters have equal text. Empty for a body that is not rendered.
    /// </summary>
    public string Parameters
    {
        get => field ?? "";
        // Null in place of empty: a default value equals a created one.
        init => field = value.Length == 0 ? null : value;
    }

    /// <summary>The representation in a format, without parameters.</summary>
    public static implicit operator Representation(BodyFormat? format) => new(format);
}
