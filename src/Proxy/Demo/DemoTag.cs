using System.Collections.Frozen;
using System.Globalization;

namespace Proxy.Demo;

/// <summary>An entry of the data dictionary (PS3.6 chapter 6).</summary>
/// <param name="Number">The tag as a number, group before element.</param>
/// <param name="Vr">The value representation.</param>
/// <param name="Keyword">The keyword.</param>
public sealed record DemoTag(uint Number, string Vr, string Keyword)
{
    // All attributes of the demo studies; odd group numbers are private (PS3.5 7.8).
    private const string Table = """
        00080005 CS SpecificCharacterSet
        00080008 CS ImageType
        00080016 UI SOPClassUID
        00080018 UI SOPInstanceUID
        00080020 DA StudyDate
        00080021 DA SeriesDate
        00080022 DA AcquisitionDate
        00080023 DA ContentDate
        00080030 TM StudyTime
        00080031 TM SeriesTime
        00080032 TM AcquisitionTime
        00080033 TM ContentTime
        00080050 SH AccessionNumber
        00080056 CS InstanceAvailability
        00080060 CS Modality
        00080061 CS ModalitiesInStudy
        00080070 LO Manufacturer
        00080080 LO InstitutionName
        00080090 PN ReferringPhysicianName
        00080201 SH TimezoneOffsetFromUTC
        00081010 SH StationName
        00081030 LO StudyDescription
        0008103E LO SeriesDescription
        00081090 LO ManufacturerModelName
        00081190 UR RetrieveURL
        00083002 UI AvailableTransferSyntaxUID
        00100010 PN PatientName
        00100020 LO PatientID
        00100021 LO IssuerOfPatientID
        00100030 DA PatientBirthDate
        00100040 CS PatientSex
        00101010 AS PatientAge
        00180015 CS BodyPartExamined
        00180020 CS ScanningSequence
        00180021 CS SequenceVariant
        00180022 CS ScanOptions
        00180023 CS MRAcquisitionType
        00180040 IS CineRate
        00180050 DS SliceThickness
        00180060 DS KVP
        00180080 DS RepetitionTime
        00180081 DS EchoTime
        00180082 DS InversionTime
        00180087 DS MagneticFieldStrength
        00180088 DS SpacingBetweenSlices
        00181030 LO ProtocolName
        00181063 DS FrameTime
        00181164 DS ImagerPixelSpacing
        00181210 SH ConvolutionKernel
        00185100 CS PatientPosition
        00185101 CS ViewPosition
        00186011 SQ SequenceOfUltrasoundRegions
        00186012 US RegionSpatialFormat
        00186014 US RegionDataType
        00186016 UL RegionFlags
        00186018 UL RegionLocationMinX0
        0018601A UL RegionLocationMinY0
        0018601C UL RegionLocationMaxX1
        0018601E UL RegionLocationMaxY1
        00186020 SL ReferencePixelX0
        00186022 SL ReferencePixelY0
        00186024 US PhysicalUnitsXDirection
        00186026 US PhysicalUnitsYDirection
        0018602C FD PhysicalDeltaX
        0018602E FD PhysicalDeltaY
        0020000D UI StudyInstanceUID
        0020000E UI SeriesInstanceUID
        00200010 SH StudyID
        00200011 IS SeriesNumber
        00200012 IS AcquisitionNumber
        00200013 IS InstanceNumber
        00200020 CS PatientOrientation
        00200032 DS ImagePositionPatient
        00200037 DS ImageOrientationPatient
        00200052 UI FrameOfReferenceUID
        00200060 CS Laterality
        00201040 LO PositionReferenceIndicator
        00201041 DS SliceLocation
        00201206 IS NumberOfStudyRelatedSeries
        00201208 IS NumberOfStudyRelatedInstances
        00201209 IS NumberOfSeriesRelatedInstances
        00280002 US SamplesPerPixel
        00280004 CS PhotometricInterpretation
        00280006 US PlanarConfiguration
        00280008 IS NumberOfFrames
        00280009 AT FrameIncrementPointer
        00280010 US Rows
        00280011 US Columns
        00280030 DS PixelSpacing
        00280100 US BitsAllocated
        00280101 US BitsStored
        00280102 US HighBit
        00280103 US PixelRepresentation
        00281050 DS WindowCenter
        00281051 DS WindowWidth
        00281052 DS RescaleIntercept
        00281053 DS RescaleSlope
        00281054 LO RescaleType
        00281055 LO WindowCenterWidthExplanation
        00290010 LO DemoPrivateCreator
        00291010 OB DemoPrivateBytes
        00400244 DA PerformedProcedureStepStartDate
        00400245 TM PerformedProcedureStepStartTime
        7FE00010 OW PixelData
        """;

    private static readonly FrozenDictionary<string, DemoTag> ByKeyword = Table
        .Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' '))
        .Select(part => new DemoTag(uint.Parse(part[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture), part[1], part[2]))
        .ToFrozenDictionary(tag => tag.Keyword);

    private static readonly FrozenDictionary<uint, DemoTag> ByNumber = ByKeyword.Values.ToFrozenDictionary(tag => tag.Number);

    /// <summary>The tag as DICOM JSON writes it: eight upper-case hexadecimal digits (PS3.18 F.2.2).</summary>
    public string Name { get; } = Number.ToString("X8", CultureInfo.InvariantCulture);

    /// <summary>The tag of a keyword, which must exist.</summary>
    public static DemoTag Get(string keyword) => ByKeyword[keyword];

    /// <summary>The tag of a keyword or of eight hexadecimal digits (PS3.18 8.3.4.1); null if unknown.</summary>
    public static DemoTag? Find(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name.Length == 8 && uint.TryParse(name, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number)
            ? ByNumber.GetValueOrDefault(number)
            : ByKeyword.GetValueOrDefault(name);
    }
}
