using System.Globalization;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Imaging.Pictures;
using Proxy.Rendering.Requests;

namespace Proxy.Rendering.Making;

/// <summary>A picture of a frame, an animation of all frames, or the text of a report.</summary>
/// <param name="Path">The instance.</param>
/// <param name="Frame">The frame number, from 1; null for the instance as a whole.</param>
/// <param name="MediaType">The media type of the file.</param>
/// <param name="Parameters">The rendering parameters.</param>
internal sealed record PictureRequest(InstancePath Path, int? Frame, string MediaType, RenderedParameters Parameters)
{
    /// <summary>The parameter in the cache key of a picture that only says that there is nothing to show.</summary>
    private const string Neutral = "neutral";

    /// <summary>The hash of the dataset, see <see cref="RenderableInstance"/>.</summary>
    public required ulong DatasetHash { get; init; }

    /// <summary>The tiers for the frames that are fetched to make it.</summary>
    public Placement FramePlacement { get; init; } = Placement.MemoryAndDisk;

    /// <summary>True for a neutral picture in place of one that cannot be made.</summary>
    public bool IsNeutral { get; init; }

    /// <summary>The encoding; null for a text.</summary>
    public PictureFormat? Format => MediaType switch
    {
        "image/jpeg" => PictureFormat.Jpeg,
        "image/png" => PictureFormat.Png,
        "image/gif" => PictureFormat.Gif,
        _ => null,
    };

    /// <summary>The path of the resource below a DICOMweb root.</summary>
    public string ResourcePath => new BodyPath(Path, Frame).RelativePath + "/rendered";

    /// <summary>True when pictures like this are few, so that they may go to the disk.</summary>
    public bool IsUsual => Format is not null && !IsNeutral && Parameters.AreUsual;

    /// <summary>The cache key: everything that the file depends on.</summary>
    /// <param name="backend">The backend of the frames.</param>
    public EntryKey GetKey(string backend)
    {
        string[] parameters =
        [
            DatasetHash.ToString("x16", CultureInfo.InvariantCulture), IsNeutral ? Neutral : "",
            Parameters.ToQuery(isLossy: MediaType == "image/jpeg"),
        ];
        return new(backend, ResourcePath, new Representation(new BodyFormat(MediaType, ""))
        {
            Parameters = string.Join('&', parameters.Where(parameter => parameter.Length > 0)),
        });
    }

    /// <summary>The request for the backend's own rendering.</summary>
    public RenderedRequest ToRemote() => new(new(Path, Frame), Parameters.ToQuery(isLossy: MediaType == "image/jpeg"), MediaType);
}
