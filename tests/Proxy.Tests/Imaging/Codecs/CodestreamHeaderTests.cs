using FsCheck.Xunit;
using Proxy.Imaging;
using Proxy.Imaging.Codecs;
using Proxy.Wire;
using Xunit;

namespace Proxy.Tests.Imaging.Codecs;

/// <summary>Headers of codestreams are read as the encoders wrote them, and any bytes give a header or none.</summary>
public sealed class CodestreamHeaderTests
{
    [Theory]
    [InlineData("jpeg50-u8", 64, 64, 1, 8, false, null)]
    [InlineData("jpeg50-ybr422", 64, 64, 3, 8, false, false)]
    [InlineData("jpeg50-rgb", 64, 64, 3, 8, false, true)]
    [InlineData("jpeg51-u12", 72, 60, 1, 12, false, null)]
    [InlineData("jpeg70-s16", 64, 64, 1, 16, false, null)]
    [InlineData("jls80-u12", 72, 60, 1, 16, false, null)]
    [InlineData("j2k90-s16", 64, 64, 1, 16, true, null)]
    [InlineData("j2k90-s12-unsigned", 64, 64, 1, 12, false, null)]
    [InlineData("j2k90-rgb-nomct", 64, 64, 3, 8, false, null)]
    [InlineData("j2k91-rgb", 64, 64, 3, 8, false, true)]
    [InlineData("htj2k202-u12", 72, 60, 1, 12, false, null)]
    public void ReadsTheHeader(string name, int columns, int rows, int components, int precision, bool isSigned, bool? isRgb)
    {
        var header = Read(CodedFrame.Get(name).Codestream)!;

        Assert.Equal((columns, rows, components), (header.Columns, header.Rows, header.Components));
        Assert.Equal((precision, isSigned), (header.Precision, header.IsSigned));
        // A grey codestream has no colours, even if JFIF names some.
        if (components == 3) Assert.Equal(isRgb, header.IsRgb);
    }

    [Fact]
    public void FindsTheCodestreamInAJp2File() => Assert.InRange(Read(CodedFrame.Get("j2k90-u12-jp2").Codestream)!.Start, 20, 200);

    [Theory]
    [InlineData("jls80-rgb-in", true)]
    [InlineData("jls80-rgb-il", false)]
    [InlineData("jls80-rgb-is", false)]
    public void KnowsWhetherComponentsAreInterleaved(string name, bool isPlanar) =>
        Assert.Equal(isPlanar, Read(CodedFrame.Get(name).Codestream)!.IsPlanar);

    [Theory]
    [InlineData("jpeg50-ybr")]
    [InlineData("jls80-u12")]
    [InlineData("j2k90-rgb")]
    [InlineData("j2k90-u12-jp2")]
    public void AnyBytesGiveAHeaderOrNone(string name)
    {
        var (frame, random) = (CodedFrame.Get(name), new Random(3));
        for (var i = 0; i < 2000; i++)
        {
            if (Read(Mutation.Of(frame.Codestream, random)) is not { } header) continue;
            Assert.InRange(header.Precision, 1, 16);
            Assert.InRange(header.Columns, 1, ushort.MaxValue);
            Assert.InRange(header.Rows, 1, ushort.MaxValue);
        }
    }

    [Property]
    public bool RandomBytesHaveNoHeader(byte[] bytes) => Read([0xFF, 0xD8, .. bytes]) is null || bytes.Length > 8;

    [Fact]
    public void ASecondFrameHeaderIsRefused()
    {
        var bytes = CodedFrame.Get("jls80-u8").Codestream;
        var at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xF7]);
        var length = 2 + (bytes[at + 2] << 8 | bytes[at + 3]);

        Assert.Null(Read([.. bytes[..(at + length)], .. bytes[at..]]));
    }

    [Fact]
    public void ALayoutOfOtherColours_HasNoDeclaredFrame()
    {
        var layout = CodedFrame.Get("jpeg50-ybr").Layout;
        var rgb = new NativeFrame(layout with { PhotometricInterpretation = "RGB" }, new byte[layout.FrameLength]);

        Assert.Null(DeclaredFrame.Find(layout, rgb));
        Assert.NotNull(DeclaredFrame.Find(layout with { PhotometricInterpretation = "YBR_RCT" }, rgb));
    }

    [Fact]
    public void PlanesBecomeWhatTheDatasetDeclares()
    {
        var layout = CodedFrame.Get("rle-rgb").Layout;
        var (planes, interleaved) = (CodedFrame.ReadRaw("rgb-planes"), CodedFrame.ReadRaw("rgb"));

        Assert.Equal(interleaved, DeclaredFrame.Find(layout, new(layout with { IsPlanar = true }, planes))!.Value.ToArray());
        Assert.Equal(planes, DeclaredFrame.Find(layout with { IsPlanar = true }, new(layout, interleaved))!.Value.ToArray());
    }

    private static CodestreamHeader? Read(byte[] bytes) => bytes is [0xFF, 0xD8, ..]
        ? CodestreamHeader.Read(PixelCoding.Jpeg, bytes)
        : CodestreamHeader.Read(PixelCoding.Jpeg2000, bytes);
}
