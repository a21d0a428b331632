namespace Proxy.Integration;

/// <summary>The attributes that the tests write and read, by their names in PS3.6.</summary>
public static class Tags
{
    public const uint SpecificCharacterSet = 0x00080005, ImageType = 0x00080008, SopClassUid = 0x00080016,
        SopInstanceUid = 0x00080018, StudyDate = 0x00080020, SeriesDate = 0x00080021, ContentDate = 0x00080023,
        StudyTime = 0x00080030, SeriesTime = 0x00080031, ContentTime = 0x00080033, AccessionNumber = 0x00080050,
        Modality = 0x00080060, ModalitiesInStudy = 0x00080061, ConversionType = 0x00080064, Manufacturer = 0x00080070,
        ReferringPhysicianName = 0x00080090, CodeValue = 0x00080100, CodingSchemeDesignator = 0x00080102, CodeMeaning = 0x00080104,
        StudyDescription = 0x00081030, SeriesDescription = 0x0008103E, ReferencedSeriesSequence = 0x00081115,
        ReferencedInstanceSequence = 0x0008114A, ReferencedSopClassUid = 0x00081150, ReferencedSopInstanceUid = 0x00081155,
        RetrieveUrl = 0x00081190, SourceImageSequence = 0x00082112, DerivationImageSequence = 0x00089124,
        DerivationCodeSequence = 0x00089215;

    public const uint PatientName = 0x00100010, PatientId = 0x00100020, PatientBirthDate = 0x00100030, PatientSex = 0x00100040;

    public const uint BodyPartExamined = 0x00180015, SliceThickness = 0x00180050, Kvp = 0x00180060,
        RepetitionTime = 0x00180080, EchoTime = 0x00180081, SpacingBetweenSlices = 0x00180088, FrameTime = 0x00181063,
        ImagerPixelSpacing = 0x00181164, PatientPosition = 0x00185100, ViewPosition = 0x00185101;

    public const uint StudyInstanceUid = 0x0020000D, SeriesInstanceUid = 0x0020000E, StudyId = 0x00200010,
        SeriesNumber = 0x00200011, InstanceNumber = 0x00200013, PatientOrientation = 0x00200020,
        ImagePositionPatient = 0x00200032, ImageOrientationPatient = 0x00200037, FrameOfReferenceUid = 0x00200052,
        PositionReferenceIndicator = 0x00201040, SliceLocation = 0x00201041, NumberOfStudyRelatedSeries = 0x00201206,
        NumberOfStudyRelatedInstances = 0x00201208, NumberOfSeriesRelatedInstances = 0x00201209, FrameContentSequence = 0x00209111,
        PlanePositionSequence = 0x00209113, PlaneOrientationSequence = 0x00209116, DimensionOrganizationUid = 0x00209164,
        DimensionIndexPointer = 0x00209165, FunctionalGroupPointer = 0x00209167, DimensionOrganizationSequence = 0x00209221,
        DimensionIndexSequence = 0x00209222, DimensionIndexValues = 0x00209157;

    public const uint SamplesPerPixel = 0x00280002, PhotometricInterpretation = 0x00280004, PlanarConfiguration = 0x00280006,
        NumberOfFrames = 0x00280008, FrameIncrementPointer = 0x00280009, Rows = 0x00280010, Columns = 0x00280011,
        PixelSpacing = 0x00280030, BitsAllocated = 0x00280100, BitsStored = 0x00280101, HighBit = 0x00280102,
        PixelRepresentation = 0x00280103, BurnedInAnnotation = 0x00280301, WindowCenter = 0x00281050,
        WindowWidth = 0x00281051, RescaleIntercept = 0x00281052, RescaleSlope = 0x00281053, RescaleType = 0x00281054,
        LossyImageCompression = 0x00282110, PixelMeasuresSequence = 0x00289110;

    public const uint PrivateCreator = 0x00290010, PrivateNote = 0x00291020, PrivateBlob = 0x00291010,
        DocumentTitle = 0x00420010, EncapsulatedDocument = 0x00420011, MimeType = 0x00420012, PixelData = 0x7FE00010;

    /// <summary>Segmentations (PS3.3 A.51) and structure sets (PS3.3 A.19).</summary>
    public const uint SegmentationType = 0x00620001, SegmentSequence = 0x00620002, SegmentedPropertyCategoryCodeSequence = 0x00620003,
        SegmentNumber = 0x00620004, SegmentLabel = 0x00620005, SegmentAlgorithmType = 0x00620008,
        SegmentIdentificationSequence = 0x0062000A, ReferencedSegmentNumber = 0x0062000B,
        SegmentedPropertyTypeCodeSequence = 0x0062000F, ContentLabel = 0x00700080, ContentDescription = 0x00700081,
        ContentCreatorName = 0x00700084, StructureSetLabel = 0x30060002, StructureSetDate = 0x30060008, StructureSetTime = 0x30060009,
        ReferencedFrameOfReferenceSequence = 0x30060010, RtReferencedStudySequence = 0x30060012, RtReferencedSeriesSequence = 0x30060014,
        ContourImageSequence = 0x30060016, StructureSetRoiSequence = 0x30060020, RoiNumber = 0x30060022,
        ReferencedFrameOfReferenceUid = 0x30060024, RoiName = 0x30060026, RoiDisplayColor = 0x3006002A,
        RoiGenerationAlgorithm = 0x30060036, RoiContourSequence = 0x30060039, ContourSequence = 0x30060040,
        ContourGeometricType = 0x30060042, NumberOfContourPoints = 0x30060046, ContourData = 0x30060050,
        RtRoiObservationsSequence = 0x30060080, ObservationNumber = 0x30060082, ReferencedRoiNumber = 0x30060084,
        RtRoiInterpretedType = 0x300600A4, RoiInterpreter = 0x300600A6, SharedFunctionalGroupsSequence = 0x52009229,
        PerFrameFunctionalGroupsSequence = 0x52009230;

    /// <summary>The name of an attribute in DICOM JSON (PS3.18 F.2.2).</summary>
    public static string Json(uint tag) => tag.ToString("X8");
}
