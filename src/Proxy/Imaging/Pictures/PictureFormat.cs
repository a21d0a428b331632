namespace Proxy.Imaging.Pictures;

/// <summary>How a picture is encoded (PS3.18 §8.7.4).</summary>
public enum PictureFormat
{
    /// <summary>JPEG baseline of 8 bits; grey pictures have one component.</summary>
    Jpeg,

    /// <summary>PNG of 8 bits per sample.</summary>
    Png,

    /// <summary>GIF of at most 256 colours, animated when it has several frames.</summary>
    Gif,
}

/// <summary>The media type of a <see cref="PictureFormat"/>.</summary>
public static class PictureFormats
{
    /// <summary>The media type, such as <c>image/jpeg</c>.</summary>
    public static string GetMediaType(this PictureFormat format) => format switch
    {
        PictureFormat.Jpeg => "image/jpeg",
        PictureFormat.Png => "image/png",
        _ => "image/gif",
    };
}
