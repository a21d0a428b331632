using System.Buffers;
using System.Buffers.Binary;
using Proxy.Imaging.Presentation;

namespace Proxy.Imaging.Pictures;

/// <summary>A GIF that frames are added to, one after the other (GIF89a). It repeats without end if it has several.</summary>
/// <remarks>
/// <code>
/// GIF89a │ screen: width height 0xF7 0 0 │ 256 colours │ NETSCAPE2.0 loop
///   each frame: 21 F9 04 delay │ 2C position size │ codes
/// 3B
/// </code>
/// </remarks>
public sealed class Animation
{
    /// <summary>The largest number of frames.</summary>
    public const int MaxFrames = 512;

    /// <summary>The length of the file after which no more frames are added.</summary>
    public const int MaxBytes = 32 * 1024 * 1024;

    private readonly PictureParameters _parameters;
    private readonly MemoryStream _file = new();
    private readonly GifCodes _codes = new();
    private (int Width, int Height, int Components) _size;

    /// <summary>Begins an animation.</summary>
    /// <param name="parameters">Window and viewport of every frame.</param>
    public Animation(PictureParameters parameters) => _parameters = parameters;

    /// <summary>The number of frames.</summary>
    public int Frames { get; private set; }

    /// <summary>True when no frame is added any more: the file would exceed <see cref="MaxFrames"/> or <see cref="MaxBytes"/>.</summary>
    public bool IsFull => Frames >= MaxFrames || _file.Length >= MaxBytes;

    /// <summary>Renders a frame and adds it, unless the animation is full.</summary>
    /// <param name="frame">The samples.</param>
    /// <param name="presentation">What the dataset says about this frame.</param>
    /// <returns>Null, or why the frame cannot be rendered, as part of a sentence (<see cref="FrameRendering.Reason"/>).</returns>
    public string? Add(NativeFrame frame, ImagePresentation presentation)
    {
        if (IsFull) return null;
        using var raster = FramePictures.Draw(frame, presentation, _parameters, out var reason);
        if (raster is null) return reason;
        return Add(raster, presentation.FrameTime) ? null : "its frames differ in size or colours";
    }

    /// <summary>The picture, with at least one frame. Nothing can be added later.</summary>
    public Picture Complete()
    {
        _file.WriteByte(0x3B);
        return new(_file.ToArray(), PictureFormat.Gif, _size.Width, _size.Height);
    }

    /// <summary>Adds pixels; false when they differ from the first frame in size or components.</summary>
    internal bool Add(Raster raster, TimeSpan time)
    {
        var size = (raster.Width, raster.Height, raster.Components);
        if (Frames == 0) WriteHeader(raster);
        else if (size != _size) return false;
        _size = size;
        Frames++;
        WriteFrame(raster, time);
        return true;
    }

    private void WriteHeader(Raster raster)
    {
        Span<byte> screen = stackalloc byte[13 + 256 * 3];
        screen.Clear();
        "GIF89a"u8.CopyTo(screen);
        BinaryPrimitives.WriteUInt16LittleEndian(screen[6..], (ushort)raster.Width);
        BinaryPrimitives.WriteUInt16LittleEndian(screen[8..], (ushort)raster.Height);
        screen[10] = 0xF7;
        GifColors.WriteTable(screen[13..], raster.Components);
        _file.Write(screen);
        _file.Write([0x21, 0xFF, 11, .. "NETSCAPE2.0"u8, 3, 1, 0, 0, 0]);
    }

    private void WriteFrame(Raster raster, TimeSpan time)
    {
        Span<byte> header = stackalloc byte[18];
        header.Clear();
        (header[0], header[1], header[2], header[3]) = (0x21, 0xF9, 4, 4);
        // Browsers slow frames of less than 20 ms down to 100 ms.
        var delay = Math.Clamp(Math.Round(time.TotalMilliseconds / 10), 2, ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], (ushort)delay);
        header[8] = 0x2C;
        BinaryPrimitives.WriteUInt16LittleEndian(header[13..], (ushort)raster.Width);
        BinaryPrimitives.WriteUInt16LittleEndian(header[15..], (ushort)raster.Height);
        _file.Write(header);
        var length = raster.Width * raster.Height;
        var indexes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            GifColors.Map(raster, indexes.AsSpan(0, length));
            _codes.Write(indexes.AsSpan(0, length), _file);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(indexes);
        }
    }
}
